package main

// A scheme is one way of proving who one is, as it is measured.
type scheme struct {
	name    string // in the table
	file    string // of headers, with a dash and their number behind it
	legacy  string // section of the configuration
	proxied string // budget against the bare proxy
	warm    int    // for how many seconds many principals are made known
	// Of sessions one body and one number of connections are enough: what these do to a ratio, the other schemes say.
	bodies      []string
	connections []int
}

func schemes() []scheme {
	bodies, connections := []string{"small", "large"}, []int{1, 64}
	return []scheme{
		{"jwt", "jwt", basicAlone, "0.90", 1, bodies, connections},
		{"basic", "basic", basicAlone, "0.80", 11, bodies, connections},
		{"session, signed cookie", "securecookie", withSessions("securecookie"), "0.80", 11, bodies[:1], connections[1:]},
		{"session, row", "database", withSessions("database"), "0.80", 11, bodies[:1], connections[1:]},
	}
}

// proxied holds the bridge against the bare proxy.
func (b *bench) proxied() error {
	up, err := b.own(2, "upstream")
	if err != nil {
		return err
	}
	defer up.stop()
	b.say("\n## Proxied, against the bare proxy\n")
	b.say("| cores | credential | principals | body | connections | bare/s | ours/s | ratio/s | bare µs | ours µs | CPU ratio | budget |")
	b.say("|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, cores := range []int{1, 2} {
		bare, err := b.own(cores, "bare", up.url)
		if err != nil {
			return err
		}
		defer bare.stop()
		for _, s := range schemes() {
			ours, err := b.serve(cores, up.url, s.legacy)
			if err != nil {
				return err
			}
			defer ours.stop()
			for _, count := range []string{"1", "10000"} {
				if err := b.proxiedFor(cores, bare, ours, s, count); err != nil {
					return err
				}
			}
			ours.stop()
		}
		bare.stop()
	}
	return nil
}

// proxiedFor makes so many principals of a scheme known, and measures them.
func (b *bench) proxiedFor(cores int, bare, ours *process, s scheme, count string) error {
	headers, warm := b.file(s.file+"-"+count), 1
	if count != "1" {
		warm = s.warm
	}
	if _, err := run(b.ctx, b.dir, ours, load{"/api/v2/small", headers, 16, warm}); err != nil {
		return err
	}
	for _, body := range s.bodies {
		for _, connections := range s.connections {
			r, err := b.compare(bare, ours, load{"/api/v2/" + body, headers, connections, b.seconds})
			if err != nil {
				return err
			}
			b.say("| %d | %s | %s | %s | %d | %s | %s |", cores, s.name, count, map[string]string{"small": "1 KiB", "large": "100 KiB"}[body],
				connections, r, s.proxied)
		}
	}
	return nil
}

// verify holds /auth/verify against a handler that decides nothing.
func (b *bench) verify() error {
	b.say("\n## `/auth/verify`, against a bare handler, record line on\n")
	b.say("| cores | credential | connections | bare/s | ours/s | ratio/s | bare µs | ours µs | CPU ratio | budget |")
	b.say("|---|---|---|---|---|---|---|---|---|---|")
	for _, cores := range []int{1, 2} {
		bare, err := b.own(cores, "handler")
		if err != nil {
			return err
		}
		defer bare.stop()
		for _, s := range schemes() {
			ours, err := b.serve(cores, "http://127.0.0.1:1", s.legacy)
			if err != nil {
				return err
			}
			defer ours.stop()
			r, err := b.compare(bare, ours, load{"/auth/verify", b.file(s.file + "-1"), 64, b.seconds})
			if err != nil {
				return err
			}
			b.say("| %d | %s | 64 | %s | 0.60 |", cores, s.name, r)
			ours.stop()
		}
		bare.stop()
	}
	return nil
}

// translated holds a list of 100 Dag runs by Airflow 2's API against the same by Airflow 3's, both through the bridge.
func (b *bench) translated() error {
	up, err := b.own(2, "upstream")
	if err != nil {
		return err
	}
	defer up.stop()
	b.say("\n## `/api/v1`, against the same list of 100 Dag runs by `/api/v2`, both through the bridge\n")
	b.say("| cores | credential | connections | v2/s | v1/s | v2 µs | v1 µs | CPU more | budget |")
	b.say("|---|---|---|---|---|---|---|---|---|")
	for _, cores := range []int{1, 2} {
		ours, err := b.serve(cores, up.url)
		if err != nil {
			return err
		}
		defer ours.stop()
		for _, scheme := range []string{"jwt", "basic"} {
			var perSecond, cpu [2][]float64
			for range b.rounds {
				for i, api := range []string{"/api/v2", "/api/v1"} {
					r, err := run(b.ctx, b.dir, ours, load{api + "/dags/example/dagRuns?limit=100", b.file(scheme + "-1"), 16, b.seconds})
					if err != nil {
						return err
					}
					perSecond[i] = append(perSecond[i], r.perSecond)
					cpu[i] = append(cpu[i], r.cpu)
				}
			}
			b.say("| %d | %s | 16 | %.0f | %.0f | %.1f | %.1f | **%.0f %%** | 15 %% |", cores, scheme, median(perSecond[0]), median(perSecond[1]),
				median(cpu[0]), median(cpu[1]), 100*(median(ratios(cpu[1], cpu[0]))-1))
		}
		ours.stop()
	}
	return nil
}
