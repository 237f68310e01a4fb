"""The `derca` command: the only package that knows both the models (`derca_sim`) and the hardware (`derca_hw`)."""
