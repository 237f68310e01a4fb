"""The configuration object and the table layouts that hardware, compiler and golden model share."""
