"""The methods of `Client`, a file for each kind of resource."""
