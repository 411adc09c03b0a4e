"""A strict local AWS: moto behind a layer that checks, remembers and takes its time."""
