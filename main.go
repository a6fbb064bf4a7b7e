// Command jetbridge carries Airflow 2 clients onto Airflow 3: it accepts their
// old credentials and lets Airflow 3 see nothing but JWTs.
package main

import (
	"context"
	"io"
	"log"
	"os"

	"github.com/jetbridge/jetbridge/bridge/cli"
)

// version is set by the linker (see the Makefile).
var version = "unknown"

func main() {
	// net/http's client tells the standard logger what an upstream sent unasked,
	// bytes and all. What the program has to say goes through its own.
	log.SetOutput(io.Discard)
	p := cli.Program{Name: os.Args[0], Args: os.Args[1:], Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr, Version: version}
	os.Exit(p.Run(context.Background()))
}
