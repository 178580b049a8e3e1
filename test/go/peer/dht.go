package main

import (
	"context"
	"errors"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	kadrecord "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	prefix     = "/potluck"
	protocolID = prefix + "/kad/1.0.0"
	// namespace is the DHT namespace of cards, and the domain of their signatures.
	namespace    = "potluck-card"
	maxCardBytes = 16 * 1024
	// sequenceField is the number of `Card.sequence` in potluck.proto.
	sequenceField = 2
)

// cards is the validator of the namespace `potluck-card`. Without it, anyone can store a value under the key of any peer.
type cards struct{}

func (cards) Validate(key string, value []byte) error {
	if len(value) > maxCardBytes {
		return errors.New("the card is too large")
	}
	_, name, err := kadrecord.SplitKey(key)
	if err != nil {
		return err
	}
	id, err := peer.Decode(name)
	if err != nil {
		return err
	}
	envelope, err := record.ConsumeTypedEnvelope(value, &card{})
	if err != nil {
		return err
	}
	if !id.MatchesPublicKey(envelope.PublicKey) {
		return errors.New("the card is signed by another peer")
	}
	return nil
}

// Select returns the index of the newest card.
func (cards) Select(_ string, values [][]byte) (int, error) {
	best, newest := 0, card{}
	for i, value := range values {
		var c card
		if _, err := record.ConsumeTypedEnvelope(value, &c); err == nil && c.sequence > newest.sequence {
			best, newest = i, c
		}
	}
	return best, nil
}

// card is the payload of a card's envelope, as far as a server of the DHT reads it.
type card struct{ sequence uint64 }

func (*card) Domain() string                 { return namespace }
func (*card) Codec() []byte                  { return []byte("/potluck/card") }
func (*card) MarshalRecord() ([]byte, error) { return nil, errors.ErrUnsupported }
func (c *card) UnmarshalRecord(b []byte) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if number == sequenceField && kind == protowire.VarintType {
			c.sequence, _ = protowire.ConsumeVarint(b)
		}
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
	}
	return nil
}

type provider struct {
	ID    string   `json:"id"`
	Addrs []string `json:"addrs"`
}

func toProvider(info peer.AddrInfo) provider {
	return provider{ID: info.ID.String(), Addrs: texts(info.Addrs)}
}

func startDHT(h host.Host, validity time.Duration, commands map[string]run) error {
	options := []dht.Option{
		dht.ProtocolPrefix(prefix),
		dht.Mode(dht.ModeServer),
		dht.Validator(kadrecord.NamespacedValidator{namespace: cards{}}),
	}
	if validity > 0 {
		options = append(options, dht.ProviderManagerOpts(records.ProvideValidity(validity)))
	}
	server, err := dht.New(h, options...)
	if err != nil {
		return err
	}

	commands["table"] = func(context.Context, command) (any, error) {
		ids := []string{}
		for _, id := range server.RoutingTable().ListPeers() {
			ids = append(ids, id.String())
		}
		return ids, nil
	}
	commands["find"] = func(ctx context.Context, c command) (any, error) {
		key, err := cid.Decode(c.Key)
		if err != nil {
			return nil, err
		}
		found := []provider{}
		for info := range server.FindProvidersAsync(ctx, key, 0) {
			found = append(found, toProvider(info))
		}
		return found, nil
	}
	commands["stored"] = func(ctx context.Context, c command) (any, error) {
		key, err := cid.Decode(c.Key)
		if err != nil {
			return nil, err
		}
		infos, err := server.ProviderStore().GetProviders(ctx, key.Hash())
		found := []provider{}
		for _, info := range infos {
			found = append(found, toProvider(info))
		}
		return found, err
	}
	commands["provide"] = func(ctx context.Context, c command) (any, error) {
		key, err := cid.Decode(c.Key)
		if err != nil {
			return nil, err
		}
		return nil, server.Provide(ctx, key, true)
	}
	commands["get"] = func(ctx context.Context, c command) (any, error) { return server.GetValue(ctx, c.Key) }
	commands["put"] = func(ctx context.Context, c command) (any, error) { return nil, server.PutValue(ctx, c.Key, c.Value) }
	addHostile(h, server, commands)
	return nil
}
