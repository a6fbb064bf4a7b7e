package kerberos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// What a caller of [AskKDC] may test for.
var (
	ErrKDCUnreachable = errors.New("the KDC cannot be asked")
	ErrKDCSkew        = errors.New("the KDC's clock and ours differ by too much")
	ErrKDCWrongKey    = errors.New("the KDC has another key of that principal")
	ErrKDCUnknown     = errors.New("the KDC does not know that principal")
)

// AskKDC logs in as the service itself, by its own key, asks for a ticket for
// itself and gives the version of the key under which the KDC made it. Conf is
// the krb5.conf that names the KDC. The error is one of the above, or wraps
// none of them for whatever else the KDC refuses.
func AskKDC(ctx context.Context, conf, keytabFile string, e Entry) (kvno int, err error) {
	type answer struct {
		kvno int
		err  error
	}
	done := make(chan answer, 1)
	go func() { // gokrb5's client takes no context
		var a answer
		defer func() {
			if recover() != nil {
				a = answer{0, fmt.Errorf("%w: its answer cannot be read", ErrKDCUnreachable)}
			}
			done <- a
		}()
		a.kvno, a.err = askKDC(conf, keytabFile, e)
	}()
	select {
	case a := <-done:
		return a.kvno, a.err
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: no answer in time", ErrKDCUnreachable)
	}
}

func askKDC(conf, keytabFile string, e Entry) (int, error) {
	cfg, err := config.Load(conf)
	if err != nil {
		return 0, fmt.Errorf("%w: %s cannot be read", ErrKDCUnreachable, conf)
	}
	data, err := os.ReadFile(keytabFile)
	if err != nil {
		return 0, err
	}
	kt := keytab.New()
	if kt.Unmarshal(data) != nil {
		return 0, errNotKeytab
	}
	c := client.NewWithKeytab(e.Service, e.Realm, kt, cfg, client.DisablePAFXFAST(true))
	defer c.Destroy()
	if err := c.Login(); err != nil {
		return 0, kdcError(err)
	}
	ticket, _, err := c.GetServiceTicket(e.Service)
	if err != nil {
		return 0, kdcError(err)
	}
	return ticket.EncPart.KVNO, nil
}

// kdcError finds the KDC's own code in gokrb5's text, which is the only place
// where it stands.
func kdcError(err error) error {
	text := err.Error()
	for code, kind := range map[string]error{
		"KRB_AP_ERR_SKEW": ErrKDCSkew, "KDC_ERR_PREAUTH_FAILED": ErrKDCWrongKey, "KDC_ERR_C_PRINCIPAL_UNKNOWN": ErrKDCUnknown,
		"KDC_ERR_S_PRINCIPAL_UNKNOWN": ErrKDCUnknown, "Networking_Error": ErrKDCUnreachable, "Decrypting_Error": ErrKDCWrongKey,
	} {
		if strings.Contains(text, code) {
			return fmt.Errorf("%w (%s)", kind, code)
		}
	}
	return errors.New("the KDC refuses: " + text)
}
