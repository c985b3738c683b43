"""What the classes of a served model are called."""

from heart_api.package import ServingPackage


def class_values(package: ServingPackage) -> tuple[int | str, ...]:
    """The classes in the order of the model's outputs; none for regression."""
    if package.task == "regression":
        return ()
    return package.classes or tuple(range(len(package.reference.outputs[0])))


def class_labels(package: ServingPackage) -> tuple[str, ...]:
    """The class names in the same order: the labels of the target, else the classes themselves."""
    classes, named = class_values(package), package.target.labels
    # Labels are given in ascending order of the classes; a different count cannot be matched with them.
    return named if named and len(named) == len(classes) else tuple(str(value) for value in classes)
