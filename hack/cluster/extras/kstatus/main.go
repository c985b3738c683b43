// Command kstatus says of each resource on its input, JSON one after another, what kstatus makes of it: a line with the
// status, a tab and the message. It is the library by which Flux, kpt and `helm --wait` of version 4 wait.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func judge(decoder *json.Decoder) (string, error) {
	var data json.RawMessage
	if err := decoder.Decode(&data); err != nil {
		return "", err
	}
	object := &unstructured.Unstructured{} // reads whole numbers as int64, as the library expects
	if err := object.UnmarshalJSON(data); err != nil {
		return "", err
	}
	found, err := status.Compute(object)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s\t%s", found.Status, found.Message), nil
}

func main() {
	decoder := json.NewDecoder(os.Stdin)
	for {
		line, err := judge(decoder)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(line)
	}
}
