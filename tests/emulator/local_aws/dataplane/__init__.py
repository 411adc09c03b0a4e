"""The processes behind the resources. Imported unless --control-plane-only is given."""
