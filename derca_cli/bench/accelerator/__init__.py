"""`derca bench data`: utilisation, preemption and speed of the accelerator."""
