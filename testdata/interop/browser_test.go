package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// stepTime bounds one step in the browser, a page's loading included.
const stepTime = 90 * time.Second

// quietTime is how long no request is on its way in a browser that has settled.
const quietTime = 500 * time.Millisecond

// A browser is one headless Chromium with an empty profile.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu      sync.Mutex
	pages   []string // what it asked for to show, in order
	loader  string   // of the page that it asked for last
	waiting map[network.RequestID]string
	active  time.Time // when a request last began or ended
}

// newBrowser starts a browser that will look at base, and stops it with the test.
func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	install := exec.Command("./install.sh", "chromium")
	install.Stderr = os.Stderr
	path, err := install.Output()
	if err != nil {
		t.Fatalf("install.sh chromium: %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(strings.TrimSpace(string(path))),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WindowSize(1400, 1000),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &browser{t: t, ctx: ctx, base: base, waiting: map[network.RequestID]string{}}
	// The first use of ctx starts the browser and binds its life to it: it must not be a step's.
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// note follows the browser's requests.
func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		where, ok := strings.CutPrefix(event.Request.URL, b.base)
		switch {
		case event.Type == network.ResourceTypeDocument:
			b.pages = append(b.pages, event.Request.Method+" "+event.Request.URL)
			// Whatever the page before was waiting for: nobody hears how that ends,
			// and it may be told to have begun only now.
			clear(b.waiting)
			b.loader = string(event.LoaderID)
		case !ok || !strings.HasPrefix(where, "/api/") && !strings.HasPrefix(where, "/ui/"):
			return // what no token decides
		case string(event.LoaderID) != b.loader:
			b.active = time.Now()
			return
		}
		b.waiting[event.RequestID] = where
	case *network.EventLoadingFinished:
		delete(b.waiting, event.RequestID)
	case *network.EventLoadingFailed:
		delete(b.waiting, event.RequestID)
	default:
		return
	}
	b.active = time.Now()
}

// settles waits until the browser has asked for nothing for a while. Airflow's pages go to the login page whenever
// an answer says that the token is bad: asking for another page in the middle of that, or logging out, would race
// with it, in front of Airflow itself too.
func (b *browser) settles() {
	b.t.Helper()
	deadline := time.After(stepTime)
	for tick := time.Tick(pollTime); ; {
		b.mu.Lock()
		quiet := len(b.waiting) == 0 && time.Since(b.active) > quietTime
		b.mu.Unlock()
		if quiet {
			return
		}
		select {
		case <-tick:
		case <-deadline:
			b.fail("waiting for the page to settle", context.DeadlineExceeded)
		}
	}
}

// until asks the page the question, a JavaScript expression, until the answer is yes. A page that is being left has
// no answer.
func (b *browser) until(step, question string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	for tick := time.Tick(pollTime); ; {
		yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](question))
		if yes {
			return
		}
		select {
		case <-tick:
		case <-ctx.Done():
			b.fail(step, err)
		}
	}
}

// fail ends the test and tells where the browser stands.
func (b *browser) fail(step string, err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	url, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.t.Fatalf("%s: %v\nthe browser is at %s and shows:\n%s\nit came there by:\n%s\nand waits for %v",
		step, err, url, short(text), strings.Join(b.pages, "\n"), b.waiting)
}

func (b *browser) do(step string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.fail(step, err)
	}
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.do("open "+path, chromedp.Navigate(b.base+path))
}

// sees waits until the page shows text.
func (b *browser) sees(text string) {
	b.t.Helper()
	b.until("waiting to see "+text, fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// clicks clicks the first element of the selector that reads or is labelled text.
func (b *browser) clicks(selector, text string) {
	b.t.Helper()
	b.until("click on "+text, fmt.Sprintf(`(text => {
		const found = [...document.querySelectorAll(%q)].find(e => e.innerText.trim() === text || e.ariaLabel === text);
		if (found) found.click();
		return !!found;
	})(%q)`, selector, text))
}

// The login form of either manager.
const (
	nameField     = `input[name="username"]`
	passwordField = `input[name="password"]`
)

// isAsked waits for the login form.
func (b *browser) isAsked() {
	b.t.Helper()
	b.until("waiting for the login form", fmt.Sprintf("!!document.querySelector(%q)", nameField))
}

// types types text into a field, as the keyboard would: the page may replace the field at any time.
func (b *browser) types(field, text string) {
	b.t.Helper()
	b.until("going to "+field, fmt.Sprintf(`(field => {
		if (document.readyState !== "complete" || !field) return false;
		field.focus();
		return document.activeElement === field;
	})(document.querySelector(%q))`, field))
	b.do("type into "+field, chromedp.KeyEvent(text))
}

func (b *browser) logIn(user, password string) {
	b.t.Helper()
	b.types(nameField, user)
	b.types(passwordField, password+"\r")
}

// token is the value of the token cookie, "" when there is none.
func (b *browser) token() string {
	b.t.Helper()
	all, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.base + "/"}})
	if err != nil {
		b.fail("read the cookies", err)
	}
	for _, c := range all.Cookies {
		if c.Name == "_token" {
			return c.Value
		}
	}
	return ""
}

// hasNewToken waits for a token cookie that is not old.
func (b *browser) hasNewToken(old string) {
	b.t.Helper()
	deadline := time.After(stepTime)
	for tick := time.Tick(pollTime); ; {
		if now := b.token(); now != "" && now != old {
			return
		}
		select {
		case <-tick:
		case <-deadline:
			b.fail("waiting for a new token", context.DeadlineExceeded)
		}
	}
}

// expire puts the browser where time would: its token is one of the same user that is over since a minute.
func (b *browser) expire(f front) string {
	b.t.Helper()
	old := recipe{Claims: map[string]string{"exp": "<now-60>", "iat": "<now-120>", "nbf": "<now-120>"}}.token(f.back)
	_, err := chromedp.Call(b.ctx, network.SetCookie, network.SetCookieParams{Name: "_token", Value: old, URL: b.base + "/"})
	if err != nil {
		b.fail("let the token expire", err)
	}
	return old
}

// TestBrowser: Airflow's own pages work through the bridge with both managers. One logs in with the form, sees the
// Dags, goes on after the token expired (FAB renews it silently from its session, simple asks again and comes
// back), and logs out.
func TestBrowser(t *testing.T) {
	eachBridge(t, func(t *testing.T, f front) {
		b := newBrowser(t, f.url)

		b.open("/dags")
		b.logIn("admin", "wrong")
		b.sees(map[string]string{FAB: "Invalid login", Simple: "Invalid credentials"}[f.back.Manager])
		b.open("/dags")
		b.logIn("admin", "admin")
		b.hasNewToken("")
		b.settles()
		b.open("/dags") // FAB forgets the page that one came for
		b.sees("greetings")
		b.sees("squares")
		b.settles()

		old := b.expire(f)
		b.open("/dags/greetings")
		if f.back.Manager == Simple {
			b.logIn("admin", "admin")
		}
		b.hasNewToken(old)
		b.settles()
		b.open("/dags/squares")
		b.sees("squares")

		b.settles()
		b.clicks("button", "User")
		b.clicks("[role=menuitem]", "Logout")
		b.clicks("button", "Confirm")
		b.isAsked()
		if b.token() != "" {
			t.Error("the token cookie is still there after logging out")
		}
		b.open("/dags")
		b.isAsked()
	})
}
