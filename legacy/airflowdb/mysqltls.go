package airflowdb

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// A tlsLevel is what MySQL calls ssl_mode.
type tlsLevel int

const (
	tlsPreferred tlsLevel = iota // encrypted if the server can; nobody is verified
	tlsDisabled
	tlsRequired // encrypted, or no connection
	tlsChain    // and the certificate is an authority's (VERIFY_CA)
	tlsIdentity // and it is the host's (VERIFY_IDENTITY)
)

var tlsModes = map[string]tlsLevel{
	"PREFERRED": tlsPreferred, "DISABLED": tlsDisabled, "REQUIRED": tlsRequired, "VERIFY_CA": tlsChain, "VERIFY_IDENTITY": tlsIdentity,
}

// mysqlTLS is how to encrypt a connection.
type mysqlTLS struct {
	level         tlsLevel
	ca, cert, key string // files of PEM; without a ca the system's count
}

// tlsParams are the parameters of an URL, as they stand.
type tlsParams struct {
	ca, cert, key   string
	mode            tlsLevel
	hasMode         bool
	required, off   bool
	verify          bool
	identity, loose bool // the host's name: must be verified, need not be
	pymysql         bool // which verifies the host's name once it has a ca
}

func (p *tlsParams) set(key, value string) (err error) {
	var no, yes bool
	switch key {
	case "ssl_ca":
		p.ca = value
	case "ssl_cert":
		p.cert = value
	case "ssl_key":
		p.key = value
	case "ssl_mode":
		if p.mode, p.hasMode = tlsModes[strings.ToUpper(value)]; !p.hasMode {
			err = errors.New("is none of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY")
		}
	case "ssl":
		p.required, _, err = boolean(value)
	case "ssl_disabled":
		p.off, _, err = boolean(value)
	case "ssl_verify_cert":
		p.verify, _, err = boolean(value)
	case "ssl_check_hostname", "ssl_verify_identity":
		yes, no, err = boolean(value)
		p.identity, p.loose = p.identity || yes, p.loose || no
	default:
		err = errors.New("is not supported")
	}
	return err
}

// boolean reads a truth value as SQLAlchemy does (asbool).
func boolean(value string) (yes, no bool, err error) {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true", "yes", "on", "y", "t", "1":
		return true, false, nil
	case "false", "no", "off", "n", "f", "0":
		return false, true, nil
	}
	return false, false, errors.New("is neither true nor false")
}

// resolve gives the strictest level that a parameter asks for. The drivers differ
// in what a ca alone means, and some pass over half of what they are told: here
// whoever names an authority has the certificate verified.
func (p *tlsParams) resolve() (mysqlTLS, error) {
	t := mysqlTLS{ca: p.ca, cert: p.cert, key: p.key}
	if (p.cert == "") != (p.key == "") {
		return t, errors.New("ssl_cert and ssl_key belong together")
	}
	if p.required || p.cert != "" {
		t.level = tlsRequired
	}
	if p.ca != "" || p.verify {
		t.level = tlsChain
		if p.pymysql && !p.loose && !p.hasMode {
			t.level = tlsIdentity
		}
	}
	if p.identity {
		t.level = tlsIdentity
	}
	if p.off || p.hasMode && p.mode == tlsDisabled {
		if t.level != tlsPreferred || p.off && p.hasMode && p.mode != tlsDisabled {
			return t, errors.New("one parameter of the URL switches TLS off, and another asks for it")
		}
		t.level = tlsDisabled
	} else if p.hasMode {
		t.level = max(t.level, p.mode)
	}
	return t, nil
}

// config gives what crypto/tls takes; nil is no TLS.
func (t mysqlTLS) config(host string) (*tls.Config, error) {
	if t.level == tlsDisabled {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, fmt.Errorf("a file that the URL names: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("a file that the URL names: %s holds no certificate", t.ca)
		}
	}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, fmt.Errorf("a file that the URL names: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	switch t.level {
	case tlsPreferred, tlsRequired:
		cfg.InsecureSkipVerify = true
	case tlsChain: // crypto/tls cannot leave out the name alone
		cfg.InsecureSkipVerify = true
		cfg.VerifyConnection = verifyChain(cfg.RootCAs)
	}
	return cfg, nil
}

func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		between := x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			between.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
		return err
	}
}
