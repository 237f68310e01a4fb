"""The parts that commands share: options, messages, tables on the terminal and in files."""
