"""What a script's top level does to its process, carried to the processes of its steps."""
