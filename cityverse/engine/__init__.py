"""The embedded engine: DynamoDB and S3 in one local process, made durable."""
