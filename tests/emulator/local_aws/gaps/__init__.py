"""What moto lacks or gets wrong. Every module here registers its hooks on import."""
