"""`derca bench simulation`: the compiled simulation against simulation in Python."""
