"""Pages: a run, or a Region matrix, as one self-contained HTML file that fetches nothing.

Whatever the data contain is text: templates escape it, and a content security policy allows no script but the page's
own. Every page reads without scripts, in light and dark, on paper and on a phone.
"""

from harness.analysis.html.matrix_page import RunLink, matrix_page
from harness.analysis.html.render import write_page
from harness.analysis.html.run_page import run_page, write_report

__all__ = ["RunLink", "matrix_page", "run_page", "write_page", "write_report"]
