package interop

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// GoogleKeys is where google-auth for Python finds Google's keys.
const GoogleKeys = "https://www.googleapis.com/oauth2/v1/certs"

// A Google stands where www.googleapis.com does for a program that obeys HTTPS_PROXY, and publishes keys of ours
// there. It is a proxy that leads to nobody else, and has an authority of its own.
type Google struct {
	// Env has a Python program come here, and believe it.
	Env []string

	keys     []byte
	config   *tls.Config
	listener net.Listener
	mu       sync.Mutex
	asked    map[string]int
}

// StartGoogle publishes keys, which are an object of certificates; dir is for the authority's certificate.
func StartGoogle(dir string, keys []byte) (*Google, error) {
	name, where := "www.googleapis.com", filepath.Join(dir, "authority.pem")
	certificate, err := selfSigned(name)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(where, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}), 0o600); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &Google{
		Env:  []string{"HTTPS_PROXY=http://" + listener.Addr().String(), "REQUESTS_CA_BUNDLE=" + where},
		keys: keys, config: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		listener: listener, asked: map[string]int{},
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go g.serve(conn)
		}
	}()
	return g, nil
}

// Asked is how often each address was asked for.
func (g *Google) Asked() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := map[string]int{}
	for address, n := range g.asked {
		all[address] = n
	}
	return all
}

// Stop lets nobody in any more.
func (g *Google) Stop() { g.listener.Close() }

// serve answers one CONNECT and one request in the tunnel.
func (g *Google) serve(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	if req.Method != http.MethodConnect || req.Host != "www.googleapis.com:443" {
		g.note(req.Method + " " + req.Host)
		fmt.Fprint(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		return
	}
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
	tunnel := tls.Server(conn, g.config)
	defer tunnel.Close()
	if req, err = http.ReadRequest(bufio.NewReader(tunnel)); err != nil {
		return
	}
	address := "https://" + req.Host + req.URL.Path
	g.note(address)
	if address != GoogleKeys {
		fmt.Fprint(tunnel, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		return
	}
	fmt.Fprintf(tunnel, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(g.keys), g.keys)
}

func (g *Google) note(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked[address]++
}

// selfSigned is a certificate for a name, and its own authority.
func selfSigned(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// Google makes or finds the folder with Airflow 2's backend google_openid, to be on the path of its Python.
func (i *Installation) Google() (string, error) {
	cmd := exec.Command(filepath.Join(i.here, "install.sh"), "google")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("install.sh google: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
