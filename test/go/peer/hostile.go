package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	kadrecord "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-msgio"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"
)

// slowByte is the time between two bytes of a slow reply.
const slowByte = 100 * time.Millisecond

// addHostile adds the commands with which the peer breaks the rules of the DHT.
func addHostile(h host.Host, server *dht.IpfsDHT, commands map[string]run) {
	// `misbehave` replaces the server: from now on, each request gets a hostile reply.
	commands["misbehave"] = func(_ context.Context, c command) (any, error) {
		reply := replies[c.How]
		if reply == nil {
			return nil, fmt.Errorf("unknown kind %q", c.How)
		}
		invented := invent(c.Count)
		h.SetStreamHandler(protocolID, func(s network.Stream) {
			defer s.Close()
			request := new(pb.Message)
			bytes, err := msgio.NewVarintReaderSize(s, network.MessageSizeMax).ReadMsg()
			if err != nil || proto.Unmarshal(bytes, request) != nil {
				_ = s.Reset()
				return
			}
			_ = reply(s, request, situation{server, h, invented})
		})
		return nil, nil
	}
	// `putTo` sends one value to one peer, and returns whether the peer stored it.
	commands["putTo"] = func(ctx context.Context, c command) (any, error) {
		message := pb.NewMessage(pb.Message_PUT_VALUE, []byte(c.Key), 0)
		message.Record = kadrecord.MakePutRecord(c.Key, c.Value)
		reply, err := exchange(ctx, h, c.Addr, message)
		return err == nil && string(reply.GetRecord().GetValue()) == string(c.Value), nil
	}
	// `provideTo` sends a provider record of this peer beside `count` records of others to one peer.
	commands["provideTo"] = func(ctx context.Context, c command) (any, error) {
		key, err := cid.Decode(c.Key)
		if err != nil {
			return nil, err
		}
		message := pb.NewMessage(pb.Message_ADD_PROVIDER, key.Hash(), 0)
		own := peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}
		message.ProviderPeers = append(pb.RawPeerInfosToPBPeers([]peer.AddrInfo{own}), invent(c.Count)...)
		_, err = exchange(ctx, h, c.Addr, message)
		if errors.Is(err, io.EOF) {
			return true, nil // The protocol has no reply.
		}
		return false, nil
	}
}

type situation struct {
	server   *dht.IpfsDHT
	host     host.Host
	invented []*pb.Message_Peer
}

// honest returns the reply of the real server, as far as a Potluck peer reads it.
func (s situation) honest(request *pb.Message) *pb.Message {
	reply := pb.NewMessage(request.GetType(), request.GetKey(), 0)
	infos, _ := s.server.ProviderStore().GetProviders(context.Background(), request.GetKey())
	reply.ProviderPeers = pb.PeerInfosToPBPeers(s.host.Network(), infos)
	for _, id := range s.server.RoutingTable().ListPeers() {
		info := s.host.Peerstore().PeerInfo(id)
		reply.CloserPeers = append(reply.CloserPeers, pb.RawPeerInfosToPBPeers([]peer.AddrInfo{info})...)
	}
	return reply
}

// replies has all kinds of hostile replies. Each contains the honest peers too, unless the reply is not a message.
var replies = map[string]func(io.Writer, *pb.Message, situation) error{
	// Peers that do not exist, before the real ones: among providers and among closer servers.
	"peers": func(w io.Writer, request *pb.Message, s situation) error {
		reply := s.honest(request)
		reply.ProviderPeers = append(s.invented, reply.ProviderPeers...)
		reply.CloserPeers = append(reply.CloserPeers, s.invented...)
		return send(w, reply)
	},
	// Ids and addresses that cannot be decoded.
	"ids": func(w io.Writer, request *pb.Message, s situation) error {
		reply := s.honest(request)
		for _, bad := range [][]byte{nil, {0}, {0x12, 0x20}, random(34), random(10_000), append([]byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f}, random(9)...)} {
			broken := &pb.Message_Peer{Id: bad, Addrs: [][]byte{nil, random(40), random(5_000)}}
			reply.ProviderPeers = append([]*pb.Message_Peer{broken}, reply.ProviderPeers...)
			reply.CloserPeers = append([]*pb.Message_Peer{broken}, reply.CloserPeers...)
		}
		for _, real := range reply.ProviderPeers {
			real.Addrs = append([][]byte{random(30), nil}, real.Addrs...)
		}
		return send(w, reply)
	},
	// As many empty peers as fit into a reply that is not too long.
	"empty": func(w io.Writer, _ *pb.Message, _ situation) error {
		return sendBytes(w, repeated([]byte{9<<3 | 2, 0}, 250_000))
	},
	// Values under a card's key: random bytes.
	"values": func(w io.Writer, request *pb.Message, s situation) error {
		reply := s.honest(request)
		reply.Record = kadrecord.MakePutRecord(string(request.GetKey()), random(12_000))
		return send(w, reply)
	},
	// A value of 3 MiB.
	"long-values": func(w io.Writer, request *pb.Message, s situation) error {
		reply := s.honest(request)
		reply.Record = kadrecord.MakePutRecord(string(request.GetKey()), random(3<<20))
		return send(w, reply)
	},
	// A reply that is not a message.
	"bytes": func(w io.Writer, _ *pb.Message, _ situation) error { return sendBytes(w, random(1000)) },
	// A message that announces 4 GiB and does not end.
	"endless": func(w io.Writer, _ *pb.Message, _ situation) error {
		if _, err := w.Write(binary.AppendUvarint(nil, 1<<32)); err != nil {
			return err
		}
		for block := random(1 << 16); ; {
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
	},
	// A correct reply, one byte after the other.
	"slow": func(w io.Writer, request *pb.Message, s situation) error {
		bytes, err := proto.Marshal(s.honest(request))
		if err != nil {
			return err
		}
		for _, one := range append(binary.AppendUvarint(nil, uint64(len(bytes))), bytes...) {
			if _, err := w.Write([]byte{one}); err != nil {
				return err
			}
			time.Sleep(slowByte)
		}
		return nil
	},
	// No reply.
	"silent": func(io.Writer, *pb.Message, situation) error {
		time.Sleep(commandTimeout)
		return nil
	},
}

// exchange sends a message to the peer at an address on a new stream, and returns the reply.
func exchange(ctx context.Context, h host.Host, addr string, message *pb.Message) (*pb.Message, error) {
	if err := connect(ctx, h, addr); err != nil {
		return nil, err
	}
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return nil, err
	}
	s, err := h.NewStream(ctx, info.ID, protocolID)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := send(s, message); err != nil {
		return nil, err
	}
	if err := s.CloseWrite(); err != nil {
		return nil, err
	}
	bytes, err := msgio.NewVarintReaderSize(s, network.MessageSizeMax).ReadMsg()
	if err != nil {
		return nil, err
	}
	reply := new(pb.Message)
	return reply, proto.Unmarshal(bytes, reply)
}

func send(w io.Writer, message *pb.Message) error {
	bytes, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	return sendBytes(w, bytes)
}

func sendBytes(w io.Writer, bytes []byte) error {
	out := bufio.NewWriter(w)
	_, _ = out.Write(binary.AppendUvarint(nil, uint64(len(bytes))))
	_, _ = out.Write(bytes)
	return out.Flush()
}

// invent returns peers that do not exist. Nothing listens at their address.
func invent(count int) []*pb.Message_Peer {
	nowhere := ma.StringCast("/ip4/127.0.0.1/tcp/1")
	peers := make([]*pb.Message_Peer, count)
	for i := range peers {
		_, public, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			panic(err)
		}
		id, err := peer.IDFromPublicKey(public)
		if err != nil {
			panic(err)
		}
		peers[i] = &pb.Message_Peer{Id: []byte(id), Addrs: [][]byte{nowhere.Bytes()}}
	}
	return peers
}

func random(length int) []byte {
	bytes := make([]byte, length)
	_, _ = rand.Read(bytes)
	return bytes
}

func repeated(bytes []byte, count int) []byte {
	out := make([]byte, 0, len(bytes)*count)
	for range count {
		out = append(out, bytes...)
	}
	return out
}
