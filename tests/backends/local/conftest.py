"""Here so that the tests in the folders below find the steps that they share."""
