"""Act: durable operations, deployments and the policies that start them."""
