// Command peer is a libp2p peer of another implementation, for the tests in test/go. It joins a Potluck network as a
// server of the DHT or as a circuit relay. It prints one JSON line when it is ready, and then reads commands from
// standard input, one JSON object in each line. It answers each command with one JSON line, and ends with its input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
)

// commandTimeout bounds one command. It is longer than any query on a loopback network.
const commandTimeout = 60 * time.Second

// command is one line of the input. Each command uses some of the fields.
type command struct {
	ID    int    `json:"id"`
	Do    string `json:"do"`
	Addr  string `json:"addr"`
	Key   string `json:"key"`
	Value []byte `json:"value"`
	How   string `json:"how"`
	Count int    `json:"count"`
}

// run executes one command. The result becomes the field `result` of the answer.
type run func(context.Context, command) (any, error)

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func start() error {
	mode := flag.String("mode", "dht", "dht: server of the DHT; relay: circuit relay")
	data := flag.Int64("data", 0, "bytes that the relay carries on a connection in each direction; 0: go-libp2p's default")
	duration := flag.Duration("duration", 0, "time for which the relay carries a connection; 0: go-libp2p's default")
	validity := flag.Duration("validity", 0, "lifetime of a provider record; 0: go-libp2p-kad-dht's default")
	flag.Parse()

	h, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		// All peers of a test have the same address, and the default allows 8 connections of one address.
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableRelay(),
	)
	if err != nil {
		return err
	}
	defer h.Close()

	commands := map[string]run{
		"connect": func(ctx context.Context, c command) (any, error) { return nil, connect(ctx, h, c.Addr) },
		"memory":  func(context.Context, command) (any, error) { return memory(), nil },
	}
	switch *mode {
	case "dht":
		err = startDHT(h, *validity, commands)
	case "relay":
		resources := relay.DefaultResources()
		if *data > 0 {
			resources.Limit.Data = *data
		}
		if *duration > 0 {
			resources.Limit.Duration = *duration
		}
		// By default, a reservation names only public addresses of the relay.
		everyAddress := relay.WithReservationAddressFilter(func(ma.Multiaddr) bool { return true })
		_, err = relay.New(h, relay.WithResources(resources), everyAddress)
	default:
		err = fmt.Errorf("unknown mode %q", *mode)
	}
	if err != nil {
		return err
	}
	return serve(h, commands)
}

// serve prints the peer's addresses and executes the commands until the input ends. Commands run at the same time.
func serve(h host.Host, commands map[string]run) error {
	lines := make(chan any)
	go func() {
		out := json.NewEncoder(os.Stdout)
		for line := range lines {
			_ = out.Encode(line)
		}
	}()
	addrs, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
	if err != nil {
		return err
	}
	lines <- map[string]any{"peer": h.ID().String(), "addresses": texts(addrs)}

	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 4<<20)
	for input.Scan() {
		var c command
		if err := json.Unmarshal(input.Bytes(), &c); err != nil {
			return err
		}
		do := commands[c.Do]
		if do == nil {
			return fmt.Errorf("unknown command %q", c.Do)
		}
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
			defer cancel()
			result, err := do(ctx, c)
			if err != nil {
				lines <- map[string]any{"id": c.ID, "error": err.Error()}
				return
			}
			lines <- map[string]any{"id": c.ID, "result": result}
		}()
	}
	return input.Err()
}

func connect(ctx context.Context, h host.Host, addr string) error {
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return err
	}
	return h.Connect(ctx, *info)
}

// memory returns the bytes that the program got from the system.
func memory() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Sys
}

func texts(addrs []ma.Multiaddr) []string {
	out := make([]string, len(addrs))
	for i, addr := range addrs {
		out[i] = addr.String()
	}
	return out
}
