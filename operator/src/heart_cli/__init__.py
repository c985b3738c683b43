"""`kubectl heart`: what people see of their models, and what they tell the operator."""
