"""Tops for boards: accelerator, main memory on the chip, link to the host, clock, LEDs."""
