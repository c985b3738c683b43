"""Software bills of materials (CycloneDX) of the product's images, read from what the images contain."""
