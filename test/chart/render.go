// test/chart/render.go - renders a Helm chart with Debian's libraries, for want of helm there:
// render CHART VALUES.yaml [member=value…]. The functions are those that our chart uses.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/ioutil"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v2"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(path string) map[string]interface{} {
	text, err := ioutil.ReadFile(path)
	fail(err)
	var out map[string]interface{}
	fail(yaml.Unmarshal(text, &out))
	return textual(out).(map[string]interface{})
}

// YAML's maps as templates walk them.
func textual(value interface{}) interface{} {
	switch at := value.(type) {
	case map[interface{}]interface{}:
		out := map[string]interface{}{}
		for name, member := range at {
			out[fmt.Sprint(name)] = textual(member)
		}
		return out
	case map[string]interface{}:
		for name, member := range at {
			at[name] = textual(member)
		}
	case []interface{}:
		for i, member := range at {
			at[i] = textual(member)
		}
	}
	return value
}

func merge(into, from map[string]interface{}) {
	for name, value := range from {
		below, both := value.(map[string]interface{})
		here, ok := into[name].(map[string]interface{})
		if both && ok {
			merge(here, below)
		} else {
			into[name] = value
		}
	}
}

func functions(all *template.Template) template.FuncMap {
	out := sprig.TxtFuncMap()
	out["include"] = func(name string, data interface{}) (string, error) {
		var text bytes.Buffer
		err := all.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	out["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	out["required"] = func(why string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, errors.New(why)
		}
		return value, nil
	}
	return out
}

func main() {
	chart := os.Args[1]
	about := read(filepath.Join(chart, "Chart.yaml"))
	values := read(filepath.Join(chart, "values.yaml"))
	for _, more := range os.Args[2:] {
		merge(values, read(more))
	}
	data := map[string]interface{}{
		"Values":   values,
		"Chart":    map[string]interface{}{"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"]},
		"Release":  map[string]interface{}{"Name": "test", "Namespace": "default"},
		"Template": map[string]interface{}{"BasePath": "templates"},
	}
	all := template.New("")
	all.Funcs(functions(all))
	names, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	fail(err)
	for _, name := range names {
		text, err := ioutil.ReadFile(name)
		fail(err)
		_, err = all.New("templates/" + filepath.Base(name)).Parse(string(text))
		fail(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		var text bytes.Buffer
		fail(all.ExecuteTemplate(&text, "templates/"+filepath.Base(name), data))
		fmt.Printf("---\n%s", text.String())
	}
}
