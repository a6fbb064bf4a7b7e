package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jetbridge/jetbridge/bridge/config"
	"github.com/jetbridge/jetbridge/legacy/kerberos"
)

// tickets are the settings of an acceptor of tickets.
type tickets struct {
	keytab, service, realms, rules string
	keep, skew                     time.Duration
	bindings, rc4                  bool
}

// kerberos makes the authenticator of tickets. It outlives a reload: old keys
// that are kept would go with it.
func (a *assembler) kerberos(t *taker, cfg *config.Config, id *identity) error {
	k := cfg.Legacy.Kerberos
	settings := tickets{
		k.Keytab, strings.Join(k.Service, "\n"), strings.Join(k.Realms, "\n"), strings.Join(k.AuthToLocal, "\n"),
		k.KeepOldKeys, k.ClockSkew, k.ChannelBindings == config.BindingsAccept, k.InsecureRC4,
	}
	found, err := take(t, settings, func() (*kerberos.Authenticator, func(), error) {
		c := kerberos.Config{
			Keytab: k.Keytab, KeepOldKeys: k.KeepOldKeys, Services: k.Service, Realms: k.Realms, AuthToLocal: k.AuthToLocal,
			Skew: k.ClockSkew, InsecureRC4: k.InsecureRC4, Replays: a.replays, Log: a.log, Now: a.now,
		}
		if settings.bindings {
			if a.pair == nil {
				return nil, nil, fmt.Errorf("channel_bindings: the certificate %s is not in force: it cannot be read, or TLS was not on at the start", cfg.TLS.Cert)
			}
			c.Certificates = a.pair.Certificates // what the listener shows, whatever tls.cert says by now
		}
		made, err := kerberos.New(c)
		return made, nil, err
	})
	if err != nil {
		return fmt.Errorf("legacy.kerberos: %w", err)
	}
	for _, w := range found.Warnings() {
		id.warnings = append(id.warnings, "legacy.kerberos: "+w)
	}
	id.tickets = found
	id.authenticators = append(id.authenticators, found)
	return nil
}

// kerberos says what the keytab holds, and what usually is wrong with one.
func (c *checker) kerberos(ctx context.Context) []finding {
	found := c.snapshot.identity.tickets
	if found == nil {
		return nil
	}
	const part = "kerberos"
	var all []finding
	var hosts []string
	newest := map[string]uint32{}
	entries := found.Entries()
	for _, e := range entries {
		newest[e.Name()] = max(newest[e.Name()], e.KVNO)
		if _, host, ok := strings.Cut(e.Service, "/"); ok && e.Why == "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	for _, e := range entries {
		etype := e.EtypeName
		if etype == "" {
			etype = fmt.Sprintf("etype %d", e.Etype)
		}
		detail := fmt.Sprintf("%s, kvno %d, %s", e.Name(), e.KVNO, etype)
		if e.KVNO < newest[e.Name()] {
			detail += ", an older version, for tickets that are still around"
		}
		if e.Why != "" {
			detail += ", which does not count: " + e.Why
		}
		all = append(all, finding{Part: part, OK: true, Detail: detail})
	}
	if len(hosts) == 0 {
		all = append(all, finding{Part: part, Detail: "no key of the keytab counts: every ticket will be refused",
			Todo: "write a keytab with AES keys of HTTP/ or airflow/ and the host name that clients use (kadmin: ktadd -k FILE HTTP/host), and look at legacy.kerberos.service"})
		return all
	}
	all = append(all, c.hostNames(hosts))
	return append(all, c.askKDC(ctx, found)...)
}

// hostNames compares the keytab's hosts with the names that this host knows of
// itself. Behind a load balancer neither need be the other, so it is no fault.
func (c *checker) hostNames(hosts []string) finding {
	f := finding{Part: "kerberos", OK: true}
	self, err := os.Hostname()
	list := strings.Join(hosts, ", ")
	switch {
	case err != nil:
		f.Detail = "clients must use the host name " + list + " in their URL"
	case slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, self) }):
		f.Detail = "clients must use the host name " + list + " in their URL; this host calls itself so"
	default:
		f.Warning, f.Detail = true, fmt.Sprintf("clients must use the host name %s in their URL, but this host calls itself %s: right behind a load balancer of that name, else the keytab is another host's", list, self)
	}
	return f
}

// askKDC has the KDC tell the version of each service's key, where there is a
// krb5.conf to find it by. That it does not answer is worth a warning alone: the
// bridge itself never asks it.
func (c *checker) askKDC(ctx context.Context, found *kerberos.Authenticator) []finding {
	conf := "/etc/krb5.conf"
	for _, pair := range c.environ {
		if value, ok := strings.CutPrefix(pair, "KRB5_CONFIG="); ok && value != "" {
			conf, _, _ = strings.Cut(value, ":")
		}
	}
	const part = "kdc"
	if _, err := os.Stat(conf); err != nil {
		return []finding{{Part: part, OK: true, Detail: "not asked: there is no " + conf + " to find it by (KRB5_CONFIG names another)"}}
	}
	var all []finding
	asked := map[string]bool{}
	for _, e := range found.Entries() {
		if e.Why != "" || !e.Gone.IsZero() || asked[e.Name()] {
			continue
		}
		asked[e.Name()] = true
		kvno, err := kerberos.AskKDC(ctx, conf, c.cfg.Legacy.Kerberos.Keytab, e)
		all = append(all, kdcFinding(found, e, kvno, err))
		if errors.Is(err, kerberos.ErrKDCUnreachable) || errors.Is(err, kerberos.ErrKDCSkew) {
			break // and so would the next
		}
	}
	return all
}

func kdcFinding(found *kerberos.Authenticator, e kerberos.Entry, kvno int, err error) finding {
	f := finding{Part: "kdc", Detail: e.Name()}
	if err != nil {
		f.Detail += ": " + err.Error()
	}
	switch {
	case errors.Is(err, kerberos.ErrKDCUnreachable):
		f.OK, f.Warning = true, true
		f.Detail += "; the bridge itself never asks it, but this check then cannot tell whether the keytab is right"
	case errors.Is(err, kerberos.ErrKDCSkew):
		f.Todo = "synchronise the clock of this host: tickets are refused beyond legacy.kerberos.clock_skew"
	case errors.Is(err, kerberos.ErrKDCWrongKey):
		f.Todo = "the keytab is older than the KDC's key: write a new one (kadmin: ktadd -k FILE " + e.Service + "), and keep the old versions in it for as long as tickets live"
	case errors.Is(err, kerberos.ErrKDCUnknown):
		f.Todo = "the KDC has no such principal: is the host name right, and the realm? (kadmin: listprincs, Active Directory: setspn -Q)"
	case err != nil:
		f.OK, f.Warning = true, true
	case !slices.ContainsFunc(found.Entries(), func(o kerberos.Entry) bool { return o.Name() == e.Name() && int(o.KVNO) == kvno }):
		f.Detail = fmt.Sprintf("%s: the KDC makes tickets under kvno %d, which the keytab does not hold", e.Name(), kvno)
		f.Todo = "write a new keytab (kadmin: ktadd -k FILE " + e.Service + "), and keep the old versions in it for as long as tickets live"
	default:
		f.OK, f.Detail = true, fmt.Sprintf("%s: the KDC makes tickets under kvno %d, as the keytab has it", e.Name(), kvno)
	}
	return f
}
