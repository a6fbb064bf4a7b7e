package legacy

import "context"

// AnonymousScheme is how a request without a credential proves nothing at all,
// where Airflow's "default" backend let everybody in.
const AnonymousScheme Scheme = "anonymous"

// Anonymous makes the authenticator of Airflow's "default" backend: every
// request without a credential is the given user, who must exist and be active
// in Airflow 3 like any other.
func Anonymous(user string) Authenticator { return anonymous(user) }

type anonymous string

func (anonymous) Scheme() Scheme    { return AnonymousScheme }
func (anonymous) Challenge() string { return "" }

func (a anonymous) Authenticate(context.Context, Credential) (Proof, error) {
	return Proof{Principal: Principal{Name: string(a), Scheme: AnonymousScheme}}, nil
}
