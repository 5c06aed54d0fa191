"""Several Regions of DynamoDB on one machine, with replication lag."""
