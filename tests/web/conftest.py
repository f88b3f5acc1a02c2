"""The frozen clinic for all tests of pages."""
