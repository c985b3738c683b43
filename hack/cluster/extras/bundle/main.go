// Command bundle validates an OLM bundle's manifests as `operator-sdk bundle validate` does, whose core is this library.
// Every error and every warning of a validator is printed; the exit code is 1 if there is an error.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/operator-framework/api/pkg/manifests"
	operators "github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/operator-framework/api/pkg/validation"
	interfaces "github.com/operator-framework/api/pkg/validation/interfaces"
	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// load reads the files by itself: the library's own loader reads a decoder twice, which today's decoders do not allow.
func load(folder string) (*manifests.Bundle, error) {
	bundle := &manifests.Bundle{}
	paths, err := filepath.Glob(filepath.Join(folder, "manifests", "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err := add(bundle, path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if bundle.CSV == nil {
		return nil, fmt.Errorf("%s has no ClusterServiceVersion", folder)
	}
	bundle.Name = bundle.CSV.Name
	return bundle, nil
}

func add(bundle *manifests.Bundle, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict(data, &object.Object); err != nil {
		return err
	}
	bundle.Objects = append(bundle.Objects, object)
	switch object.GetKind() {
	case operators.ClusterServiceVersionKind:
		bundle.CSV = &operators.ClusterServiceVersion{}
		return yaml.UnmarshalStrict(data, bundle.CSV)
	case "CustomResourceDefinition":
		crd := &extensions.CustomResourceDefinition{}
		bundle.V1CRDs = append(bundle.V1CRDs, crd)
		return yaml.UnmarshalStrict(data, crd)
	}
	return nil
}

// The list without the validator that pulls the operator's images.
var validators = interfaces.Validators{
	validation.ClusterServiceVersionValidator,
	validation.CustomResourceDefinitionValidator,
	validation.BundleValidator,
	validation.OperatorHubV2Validator,
	validation.StandardCategoriesValidator,
	validation.StandardCapabilitiesValidator,
	validation.ObjectValidator,
	validation.OperatorGroupValidator,
	validation.CommunityOperatorValidator,
	validation.AlphaDeprecatedAPIsValidator,
	validation.GoodPracticesValidator,
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: bundle FOLDER")
		os.Exit(2)
	}
	bundle, err := load(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	failed := false
	for _, result := range validators.Validate(bundle.ObjectsToValidate()...) {
		for _, each := range result.Errors {
			fmt.Println(each.Error())
			failed = true
		}
		for _, each := range result.Warnings {
			fmt.Println(each.Error())
		}
	}
	if failed {
		os.Exit(1)
	}
}
