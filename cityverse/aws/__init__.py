"""CityVerse on AWS: CloudFormation templates generated from the registry of the data module."""
