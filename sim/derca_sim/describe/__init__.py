"""The register description as documents for hosts: Markdown, C header, CMSIS-SVD."""
