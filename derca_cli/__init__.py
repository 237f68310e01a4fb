"""The `derca` command: options, tables and messages around models (`derca_sim`) and flows (`derca_flow`)."""
