"""Networks as people have them: graphs of operators over quantised tensors, and the front ends that read them."""
