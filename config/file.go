package config

import (
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"yadokari/setting"
)

// File is a yadokari.yaml that was read and found valid, for one service cluster or for none.
type File struct {
	// Path is the name the file was read by.
	Path string
	// Cluster is the service cluster whose differences are merged in; "" when none was chosen.
	Cluster string
	// Config is what the file says.
	Config Config
	// Pages are the pages of every service cluster's gateway, in the order of the file.
	Pages []Page

	merged *node
}

// Page is where people look at the gateway of a service cluster.
type Page struct {
	Cluster string
	URL     string // "" when the file does not say
}

// Load reads the file at path with the differences of cluster merged over the rest; cluster "" takes
// the file without them. Its error is a Faults: everything that is wrong, in the order of the file.
func Load(path, cluster string) (*File, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text, cluster)
}

// Parse does what Load does with text already at hand. The name stands in for the path in messages.
func Parse(name string, text []byte, cluster string) (*File, error) {
	f := newFinder(name)
	root := read(text, f)
	if root == nil {
		return nil, f.faults.tidy()
	}
	file := build(root, cluster, f)
	if err := f.faults.tidy(); err != nil {
		return nil, err
	}
	return file, nil
}

// Check reads the file at path as Load does, once without a cluster and once for each there is, in
// the order of the file. With deep it also reads the files that the settings name. It returns what
// could be read, and a Faults of all that is wrong.
func Check(path string, deep bool) ([]*File, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	f := newFinder(path)
	root := read(text, f)
	if root == nil {
		return nil, f.faults.tidy()
	}
	var files []*File
	faults := f.faults
	for _, cluster := range append([]string{""}, clustersOf(root)...) {
		f := newFinder(path)
		file := build(root, cluster, f)
		if deep {
			f.judge(file.merged, file.Config.ValidateFiles())
		}
		files = append(files, file)
		faults = append(faults, f.faults...)
	}
	return files, faults.tidy()
}

// CheckFiles reads the files that the settings name and returns a Faults of what is wrong with them.
func (f *File) CheckFiles() error {
	finder := newFinder(f.Path)
	finder.judge(f.merged, f.Config.ValidateFiles())
	return finder.faults.tidy()
}

// Place is where the setting at path stands in the file: FILE:LINE:COLUMN of the setting, or of the
// nearest one above it that is written there.
func (f *File) Place(path setting.Path) string {
	at := f.merged.locate(path)
	return fmt.Sprintf("%s:%d:%d", f.Path, at.line, at.column)
}

// Names lists the service clusters and the routes that the file at path names, as well as it can be
// read: a file with faults elsewhere, or none at all, is no error. It is what completion asks.
func Names(path string) (clusters, routes []string) {
	text, err := readFile(path)
	if err != nil {
		return nil, nil
	}
	root := read(text, newFinder(path))
	if root == nil {
		return nil, nil
	}
	return clustersOf(root), routesOf(root)
}

func readFile(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return text, nil
	}
	what, remedy := "cannot be read: "+err.Error(), "name the file with --config"
	if cause, ok := err.(*fs.PathError); ok { // it repeats the path
		what = "cannot be read: " + cause.Err.Error()
	}
	return nil, Faults{{File: path, What: what, Remedy: remedy}}
}

// build merges, decodes and validates; what is wrong is reported to f.
func build(root *node, cluster string, f *finder) *File {
	file := &File{Path: f.file, Cluster: cluster, Pages: pagesOf(root), merged: choose(root, cluster, f)}
	setting.Defaults(&file.Config)
	newDecoder(f).decode(reflect.ValueOf(&file.Config).Elem(), file.merged, nil)
	f.judge(file.merged, file.Config.Validate())
	return file
}

// choose returns root with the differences of the cluster merged in.
func choose(root *node, cluster string, f *finder) *node {
	if cluster == "" {
		return root
	}
	clusters := root.get("clusters")
	if names := clustersOf(root); !slices.Contains(names, cluster) {
		remedy := "known: " + strings.Join(names, ", ")
		if near := setting.Nearest(cluster, names); near != "" {
			remedy = fmt.Sprintf("did you mean %s?", near)
		} else if len(names) == 0 {
			remedy = "the file has none"
		}
		f.add(root.locate(setting.Path{"clusters"}), setting.Path{"clusters"}, fmt.Sprintf("no service cluster is named %q", cluster), remedy)
		return root
	}
	differences := clusters.value.get(cluster).value
	if differences.kind != mapping {
		return root // its kind is reported where clusters is decoded
	}
	if nested := differences.get("clusters"); nested != nil {
		f.report(nested.at, setting.Path{"clusters", cluster, "clusters"}, "clusters within a cluster", "write it beside this one")
	}
	over := *differences
	over.fields = slices.DeleteFunc(slices.Clone(over.fields), func(f field) bool { return f.key == "clusters" })
	return merge(root, &over)
}

// judge reports what a part found wrong with its settings, unless the setting is at fault already.
func (f *finder) judge(root *node, err error) {
	for _, p := range setting.Problems(err) {
		if !f.isBroken(p.Path) {
			f.add(root.locate(p.Path), p.Path, p.What, p.Remedy)
		}
	}
}

func clustersOf(root *node) []string {
	f := root.get("clusters")
	if f == nil || f.value.kind != mapping {
		return nil
	}
	var names []string
	for _, cluster := range f.value.fields {
		names = append(names, cluster.key)
	}
	return names
}

// pagesOf reads gateway.page of every cluster from what it changes, and does not merge the whole of it.
func pagesOf(root *node) []Page {
	var pages []Page
	for _, cluster := range clustersOf(root) {
		p := Page{Cluster: cluster}
		for _, from := range []*node{root.get("clusters").value.get(cluster).value, root} {
			if found := from.find("gateway", "page"); found != nil {
				if !found.null {
					p.URL = found.text
				}
				break
			}
		}
		pages = append(pages, p)
	}
	return pages
}

func routesOf(root *node) []string {
	gateway := root.get("gateway")
	if gateway == nil {
		return nil
	}
	routes := gateway.value.get("routes")
	if routes == nil {
		return nil
	}
	var names []string
	for _, route := range routes.value.items {
		if name := nameOf(route); name != "" {
			names = append(names, name)
		}
	}
	return names
}
