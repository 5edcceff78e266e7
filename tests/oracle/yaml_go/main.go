// Answers what kubectl and the Kubernetes API machinery read from YAML.
//
// Reads a JSON list of YAML texts from standard input and writes a JSON list of answers, one
// a text: {"ok": VALUE} as converted to JSON by sigs.k8s.io/yaml, or {"error": MESSAGE}.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

type answer struct {
	OK    json.RawMessage `json:"ok,omitempty"`
	Error string          `json:"error,omitempty"`
}

func main() {
	var texts []string
	if err := json.NewDecoder(os.Stdin).Decode(&texts); err != nil {
		fmt.Fprintln(os.Stderr, "yaml_go: input:", err)
		os.Exit(1)
	}
	answers := make([]answer, len(texts))
	for i, text := range texts {
		out, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			answers[i].Error = err.Error()
			continue
		}
		answers[i].OK = out
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(answers); err != nil {
		fmt.Fprintln(os.Stderr, "yaml_go: output:", err)
		os.Exit(1)
	}
}
