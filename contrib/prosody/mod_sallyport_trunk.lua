-- mod_sallyport_trunk: all federation of a Prosody host over one stream to a Sallyport edge.
--
-- The gateway opens one server-to-server stream (direct TLS with a client certificate, SASL EXTERNAL, XEP-0288) from this host
-- to the edge's own name. Every stanza to a remote domain goes out on it, whatever its `to`; every stanza of a remote domain
-- comes in on it, whatever its `from`. The module opens the stream when the host starts, keeps it open with XEP-0199 pings,
-- opens it again when it breaks, and holds stanzas meanwhile. Nothing ever connects to the gateway.
--
-- Tried on Prosody 0.12. Options and set-up: README.md beside this file.

module:depends("s2s");
module:depends("tls");
module:depends("saslauth");
-- XEP-0288 makes the stream carry both directions; in Prosody it is an ordinary module of the host.
module:depends("s2s_bidi");

local st = require "util.stanza";
local jid_host = require "util.jid".host;
local new_id = require "util.id".short;
local gettime = require "util.time".now;
local connect = require "net.connect".connect;
local service_resolver = require "net.resolvers.service".new;
local new_outgoing_session = require "core.s2smanager".new_outgoing;
local portmanager = require "core.portmanager";

local local_host = module.host;
local hosts = prosody.hosts;

local edge = module:get_option_string("sallyport_trunk_edge");
local edge_port = module:get_option_number("sallyport_trunk_port", 23456);
-- The host whose stream this host uses; its certificate must carry this host's name as well.
local trunk_host = module:get_option_string("sallyport_trunk_host", local_host);
local domains = module:get_option_set("sallyport_trunk_domains"); -- nil: every remote domain
local ping_interval = module:get_option_number("sallyport_trunk_ping_interval", 30);
local ping_timeout = module:get_option_number("sallyport_trunk_ping_timeout", 15);
local retry_min = module:get_option_number("sallyport_trunk_retry_min", 1);
local retry_max = module:get_option_number("sallyport_trunk_retry_max", 30);
local queue_time = module:get_option_number("sallyport_trunk_queue_time", 60);
local queue_stanzas = module:get_option_number("sallyport_trunk_queue_stanzas", 1000);

if not edge then
	error("sallyport_trunk_edge is not set: name the edge, for example sallyport_trunk_edge = \"edge.corp.example\"", 0);
end
if hosts[edge] then
	error("sallyport_trunk_edge names a host of this server: " .. edge, 0);
end

local carried_stanzas = { message = true, presence = true, iq = true };
local not_connected_text = "The connection to the border of this organisation is not available";

local session; -- the stream, from the first attempt to connect until it is destroyed
local established = false;
local queue = {}; -- { stanza, expires } in the order they came
local queue_timer;
local retry_delay = retry_min;
local retry_timer;
local stopping = false;

local function on_trunk(domain)
	return domain == edge or domains == nil or domains:contains(domain);
end

-- Queue

-- Answers a stanza that could not be sent. Errors and results get no answer, or two servers could go on for ever.
local function bounce(stanza, condition, text)
	local stanza_type = stanza.attr.type;
	if stanza_type == "error" or (stanza.name == "iq" and stanza_type == "result") then
		return;
	end
	module:send(st.error_reply(stanza, "wait", condition, text, edge));
end

-- Returns what has waited until `now`; the time until the next stanza expires, or nil when none waits.
local function bounce_queue(now)
	local kept, expired = {}, {};
	for _, item in ipairs(queue) do
		table.insert(item.expires <= now and expired or kept, item);
	end
	-- The queue is put in order before anything is sent: an error for a local user may cause new stanzas at once.
	queue = kept;
	if #expired > 0 then
		module:log("warn", "Returning %d stanzas that found no stream to %s", #expired, edge);
	end
	for _, item in ipairs(expired) do
		bounce(item.stanza, "remote-server-timeout", not_connected_text);
	end
	return queue[1] and math.max(queue[1].expires - now, 0.1);
end

local function expire_queue()
	local delay = bounce_queue(gettime());
	queue_timer = delay and module:add_timer(delay, expire_queue) or nil;
end

local function enqueue(stanza)
	if #queue >= queue_stanzas then
		module:log("warn", "No stream to %s and %d stanzas wait already: refusing one to %s", edge, #queue, stanza.attr.to);
		bounce(stanza, "resource-constraint", not_connected_text);
		return;
	end
	table.insert(queue, { stanza = st.clone(stanza), expires = gettime() + queue_time });
	if not queue_timer then
		queue_timer = module:add_timer(queue_time, expire_queue);
	end
	module:log("debug", "Stream to %s is not up: %s to %s waits as number %d", edge, stanza.name, stanza.attr.to, #queue);
end

local function flush_queue()
	local waiting = queue;
	queue = {};
	if #waiting > 0 then
		module:log("info", "Sending %d stanzas that waited for the stream to %s", #waiting, edge);
	end
	for _, item in ipairs(waiting) do
		session.sends2s(item.stanza);
	end
end

-- Stream

local function open_stream()
	retry_timer = nil;
	if session or stopping then
		return;
	end
	module:log("debug", "Connecting to %s", edge);
	local listener = portmanager.get_service("s2s").listener;
	session = new_outgoing_session(local_host, edge);
	session.version = 1;
	session.stanza_size_limit = 10000; -- until the edge is authenticated; mod_s2s raises it then
	session.bounce_sendq = function () end; -- what waits is in our queue, which outlives this attempt
	module:fire_event("s2sout-created", { session = session }); -- mod_tls adds the client certificate's context
	if not session.ssl_ctx then
		module:log("error", "No TLS context for %s: check the certificate and key of this host", local_host);
	end
	-- One or more edges by SRV _xmpps-server._tcp.<edge>; without such records the addresses of the name itself. TLS always.
	local resolver = service_resolver(edge, "xmpps-server", "tcp", {
		default_port = edge_port;
		servername = edge;
		sslctx = session.ssl_ctx;
		use_ipv4 = module:get_option_boolean("use_ipv4", true);
		use_ipv6 = module:get_option_boolean("use_ipv6", true);
	});
	connect(resolver, listener, nil, { session = session });
end

local function open_stream_later()
	if stopping or retry_timer then
		return;
	end
	-- Jitter, so that the gateways of a pool do not return all at once.
	local delay = retry_delay * (0.75 + 0.5 * math.random());
	module:log("debug", "Connecting to %s again in %.1f seconds", edge, delay);
	retry_timer = module:add_timer(delay, open_stream);
	retry_delay = math.min(retry_delay * 2, retry_max);
end

-- Which domains the edge may speak for: mod_s2s's router asks session.hosts[from].authed for each stanza.
local function authenticated_domains()
	return setmetatable({}, {
		__index = function (_, domain)
			-- Never a domain of our own: nobody outside speaks for our users.
			if domain and not hosts[domain] and on_trunk(domain) then
				return { authed = true };
			end
		end;
	});
end

-- Called by mod_s2s when the stream is authenticated and its features are done, before the first stanza of the peer.
local function stream_established(event)
	if event.session ~= session then
		return;
	end
	-- s2s_secure_auth may be off for this server; the trunk is never used with an edge that did not prove its name.
	if session.cert_chain_status ~= "valid" or session.cert_identity_status ~= "valid" then
		module:log("error", "The certificate of %s is not valid for this name or not issued by a CA of ours: closing the stream", edge);
		session:close({ condition = "not-authorized", text = "Your server's certificate is not valid for " .. edge });
		return;
	end
	if not session.incoming then
		module:log("error", "%s does not offer bidirectional streams (XEP-0288): is it the edge, and its internal port?", edge);
		session:close({ condition = "unsupported-feature", text = "XEP-0288 is required" });
		return;
	end
	session.hosts = authenticated_domains();
	established = true;
	retry_delay = retry_min;
	module:log("info", "Stream to %s is up", edge);
	flush_queue();
end

local function stream_destroyed(event)
	if event.session ~= session then
		return;
	end
	local reason = event.reason;
	local text = type(reason) == "table" and (reason.text or reason.condition) or reason or "closed by the edge";
	module:log(established and "warn" or "info", "Stream to %s %s: %s", edge, established and "is down" or "could not be opened", text);
	session = nil;
	established = false;
	open_stream_later();
end

local function ping()
	if not established then
		return;
	end
	local pinged = session;
	local request = st.iq({ type = "get", from = local_host, to = edge, id = "trunk-" .. new_id() }):tag("ping", { xmlns = "urn:xmpp:ping" });
	module:send_iq(request, nil, ping_timeout):catch(function (problem)
		-- An error that came back is an answer, too. Silence is not.
		if session == pinged and established and problem.condition == "remote-server-timeout" then
			module:log("warn", "%s did not answer a ping within %d seconds: closing the stream", edge, ping_timeout);
			session:close({ condition = "connection-timeout", text = "No answer to a ping" });
		end
	end);
end

-- Stanzas

local function send(stanza)
	if established then
		return session.sends2s(stanza);
	end
	enqueue(stanza);
	if not session and not retry_timer then
		open_stream();
	end
	return true;
end

-- Above the priority of mod_s2s (-1, -10), which would look for a stream or the SRV record of the partner.
module:hook("route/remote", function (event)
	local stanza = event.stanza;
	local domain = event.to_host or jid_host(stanza.attr.to);
	if not carried_stanzas[stanza.name] or not on_trunk(domain) then
		return;
	end
	if trunk_host == local_host then
		return send(stanza);
	end
	local carrier = hosts[trunk_host];
	if carrier and carrier.modules.sallyport_trunk then
		return carrier.modules.sallyport_trunk.send(stanza);
	end
	module:log("error", "sallyport_trunk_host names %s, which does not load this module", trunk_host);
end, 10);

module.environment.send = send; -- for the hosts that use this host's stream

-- Life

if trunk_host == local_host then
	module:hook("s2sout-established", stream_established);
	module:hook_global("s2s-destroyed", stream_destroyed);
	module:hook_global("server-stopping", function () stopping = true; end, 1);
	module:add_timer(0, open_stream); -- when the server runs: the certificate and the resolver are there then
	module:add_timer(ping_interval, function ()
		ping();
		return ping_interval;
	end);
end

function module.unload()
	stopping = true;
	bounce_queue(math.huge);
	if session and session.close then
		session:close();
	end
end
