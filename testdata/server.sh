# Sourced by the scripts that run a command with a server of its own. Each of them has set
#
#     dir       the server's folder, which goes when the script ends
#     quickly   the signal on which the server ends without waiting for its clients
#
# and has a function "launch PORT", which becomes the server.

server=

# end_server returns when the server is gone: until then it holds its data and its port.
end_server() {
	[ -n "$server" ] || return 0
	kill -"$quickly" "$server" 2>/dev/null || true
	rests=0
	while kill -0 "$server" 2>/dev/null; do
		rests=$((rests + 1))
		if [ "$rests" -gt 200 ]; then
			kill -KILL "$server" 2>/dev/null || true
			break
		fi
		sleep 0.05
	done
	wait "$server" 2>/dev/null || true
	server=
}

stop() {
	end_server
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# serves PORT READY launches the server, and waits 20 seconds at most until its log says READY.
serves() {
	: >"$dir/server.log"
	launch "$1" >"$dir/server.log" 2>&1 &
	server=$!
	tries=0
	until grep -q "$2" "$dir/server.log"; do
		tries=$((tries + 1))
		if [ "$tries" -gt 400 ] || ! kill -0 "$server" 2>/dev/null; then
			return 1
		fi
		sleep 0.05
	done
}

# on_a_port FIRST READY has the server serve on the first of five ports that it can have, and calls that port.
on_a_port() {
	port=$1
	until serves "$port" "$2"; do
		end_server # it may live, and would hold the data against the next
		if [ "$port" -ge $(($1 + 4)) ]; then
			cat "$dir/server.log" >&2
			exit 1
		fi
		port=$((port + 1))
	done
}
