"""`POST /explain`: how much each feature of a record moved the model's output away from its average.

One definition for every model (heart_api.explanation.Explanation), computed in the cheapest way that is exact:
linear and tree models in closed form, any other by predictions for mixed rows (Kernel SHAP).
"""
