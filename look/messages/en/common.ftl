product-name = Latchkey
