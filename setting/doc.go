// Package setting holds the kinds of value that yadokari.yaml is made of: sizes and shares, the
// defaults that stand beside a field, and the problem that names one setting by its path.
//
// Every part describes its own settings in a Config struct. The struct is the schema: the `yaml` tag
// gives a field's key, the `default` tag its default in the file's own notation, and the comment
// its meaning and unit. Package config reads the file into these structs; a part that is used alone
// from Go calls Defaults first.
package setting
