package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
)

// A Route is one endpoint of the bridge's own.
type Route struct {
	Method string
	// Path is in gin's syntax and matched on the decoded path, so that its
	// class and its handler are found by the same text.
	Path    string
	Handler http.Handler
}

// EngineConfig is what the bridge answers itself. It must not change after
// [NewEngine].
type EngineConfig struct {
	Routes []Route
	// NotFound answers for a path without a route, WrongMethod for one that has
	// other methods (Allow is set then). Required.
	NotFound, WrongMethod http.Handler
	// Fault answers for a handler that panicked before it wrote anything. Required.
	Fault http.Handler
	// Log is told of panics: what kind and where, never the request. Required.
	Log *slog.Logger
}

// NewEngine makes the gin engine of the bridge's own answers. It redirects
// nothing, cleans no path, and believes no X-Forwarded-For. gin's mode is one
// for the whole process: this sets it to release, as it does each time. An
// error tells of a route that gin cannot take.
func NewEngine(cfg EngineConfig) (h http.Handler, err error) {
	if cfg.NotFound == nil || cfg.WrongMethod == nil || cfg.Fault == nil || cfg.Log == nil {
		return nil, errors.New("server: NotFound, WrongMethod, Fault and Log are required")
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.HandleMethodNotAllowed = true
	e.ForwardedByClientIP = false
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	e.Use(recovery(cfg.Fault, cfg.Log))
	e.NoRoute(gin.WrapH(cfg.NotFound))
	e.NoMethod(gin.WrapH(cfg.WrongMethod))
	defer func() {
		// gin panics for routes that it cannot tell apart.
		if v := recover(); v != nil {
			h, err = nil, fmt.Errorf("server: %v", v)
		}
	}()
	for _, r := range cfg.Routes {
		if r.Method == "" || !strings.HasPrefix(r.Path, "/") || r.Handler == nil {
			return nil, fmt.Errorf("server: route %s %q lacks a method, a path or a handler", r.Method, r.Path)
		}
		e.Handle(r.Method, r.Path, gin.WrapH(r.Handler))
	}
	return e, nil
}

// recovery ends a request whose handler panicked: by fault while nothing was
// written, else by cutting the answer, so that half of one never looks whole.
// gin's own would log the request's headers.
func recovery(fault http.Handler, log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == any(http.ErrAbortHandler) {
				panic(v)
			}
			log.Error("a handler panicked", "route", c.FullPath(), "panic", kind(v), "stack", string(debug.Stack()))
			if c.Writer.Written() {
				panic(http.ErrAbortHandler)
			}
			clear(c.Writer.Header())
			c.Abort()
			fault.ServeHTTP(c.Writer, c.Request)
		}()
		c.Next()
	}
}

// kind tells a panic's value without what a handler may have put into it.
func kind(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}
