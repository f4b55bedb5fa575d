"""Data worth looking at: fictional people at reserved domains, drawn pictures, real towns."""
