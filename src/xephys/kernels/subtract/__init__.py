"""Kernels of detection by subtraction: rounds of denoising and subtracting, then places and features."""
