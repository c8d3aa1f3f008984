"""Cameras beside their register: what their codes mean, their state, what they see, and what is proposed about them."""
