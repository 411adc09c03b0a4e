"""What AWS refuses and moto does not, a module a service. Each registers on import."""
