//go:build tools

// Package tools pins act, which runs GitHub Actions' workflows on this machine.
package tools

import _ "github.com/nektos/act"
