"""HTTP push: devices, back offices and network servers post frames; app.py is the part. Loaded only by that part."""
