// What AWS's own documentation shows: requests and answers of the CLI's reference (aws-cli, Apache-2.0), and the statements of the PartiQL pages
// of the Developer Guide. Each in its order, on the data that the pages begin with.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type AttributeValue, DynamoDB } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);

type Item = Record<string, AttributeValue>;
const TableName = "MusicCollection";
const key = (artist: string, song: string): Item => ({ Artist: { S: artist }, SongTitle: { S: song } });
const song = (artist: string, title: string, album: string): Item => ({
  ...key(artist, title),
  AlbumTitle: { S: album },
});
const [ME, THEM] = ["No One You Know", "Acme Band"];
const call = (album: string) => song(ME, "Call Me Today", album);
const happy = (album: string) => song(THEM, "Happy Day", album);
const scared = song(ME, "Scared of My Shadow", "Blue Sky Blues");
const collection = (artist: string) => ({ ItemCollectionKey: { Artist: { S: artist } }, SizeEstimateRangeGB: [0, 1] });
const units = (CapacityUnits: number) => ({ TableName, CapacityUnits });
const TOTAL = { ReturnConsumedCapacity: "TOTAL" } as const;
const SIZE = { ReturnItemCollectionMetrics: "SIZE" } as const;

/** Lists whose order AWS does not promise are compared in one. */
const sorted = (list: readonly unknown[] | undefined) => list?.map((one) => JSON.stringify(one)).sort();
const plain = <T extends { $metadata?: unknown }>({ $metadata: _, ...answer }: T) => answer;

test("the examples of the CLI's reference", async () => {
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions: ["Artist", "SongTitle", "AlbumTitle"].map((AttributeName) => ({
      AttributeName,
      AttributeType: "S",
    })),
    KeySchema: [
      { AttributeName: "Artist", KeyType: "HASH" },
      { AttributeName: "SongTitle", KeyType: "RANGE" },
    ],
    LocalSecondaryIndexes: [
      {
        IndexName: "AlbumTitleIndex",
        KeySchema: [
          { AttributeName: "Artist", KeyType: "HASH" },
          { AttributeName: "AlbumTitle", KeyType: "RANGE" },
        ],
        Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["Genre", "Year"] },
      },
    ],
    ProvisionedThroughput: { ReadCapacityUnits: 10, WriteCapacityUnits: 5 },
  });
  // put-item. Its page shows one unit, as of a table without index.
  assert.deepEqual(plain(await dynamodb.putItem({ TableName, Item: call("Greatest Hits"), ...TOTAL, ...SIZE })), {
    ConsumedCapacity: units(2),
    ItemCollectionMetrics: collection(ME),
  });
  const overwrite = {
    TableName,
    Item: call("Somewhat Famous"),
    ConditionExpression: "#A = :A",
    ExpressionAttributeNames: { "#A": "AlbumTitle" },
    ExpressionAttributeValues: { ":A": { S: "Greatest Hits" } },
    ReturnValues: "ALL_OLD",
  } as const;
  assert.deepEqual(plain(await dynamodb.putItem(overwrite)), { Attributes: call("Greatest Hits") });
  const failed = { name: "ConditionalCheckFailedException", message: "The conditional request failed" };
  await assert.rejects(dynamodb.putItem(overwrite), failed);

  // batch-write-item, of items that were not there.
  await dynamodb.deleteItem({ TableName, Key: key(ME, "Call Me Today") });
  const puts = [call("Somewhat Famous"), happy("Songs About Life"), scared];
  assert.deepEqual(
    plain(
      await dynamodb.batchWriteItem({
        RequestItems: { [TableName]: puts.map((Item) => ({ PutRequest: { Item } })) },
        ReturnConsumedCapacity: "INDEXES",
        ...SIZE,
      }),
    ),
    {
      UnprocessedItems: {},
      ItemCollectionMetrics: { [TableName]: [collection(ME), collection(THEM)] },
      ConsumedCapacity: [
        {
          ...units(6),
          Table: { CapacityUnits: 3 },
          LocalSecondaryIndexes: { AlbumTitleIndex: { CapacityUnits: 3 } },
        },
      ],
    },
  );

  // get-item
  const Key = key(THEM, "Happy Day");
  const Item = happy("Songs About Life");
  assert.deepEqual(plain(await dynamodb.getItem({ TableName, Key, ...TOTAL })), { Item, ConsumedCapacity: units(0.5) });
  assert.deepEqual(plain(await dynamodb.getItem({ TableName, Key, ConsistentRead: true, ...TOTAL })), {
    Item,
    ConsumedCapacity: units(1),
  });

  // query
  const byArtist = {
    TableName,
    KeyConditionExpression: "Artist = :v1",
    ExpressionAttributeValues: { ":v1": { S: ME } },
  };
  const titles = [{ SongTitle: { S: "Call Me Today" } }, { SongTitle: { S: "Scared of My Shadow" } }];
  assert.deepEqual(plain(await dynamodb.query({ ...byArtist, ProjectionExpression: "SongTitle", ...TOTAL })), {
    Items: titles,
    Count: 2,
    ScannedCount: 2,
    ConsumedCapacity: units(0.5),
  });
  const reverse = { ConsistentRead: true, ScanIndexForward: false } as const;
  assert.deepEqual(
    plain(await dynamodb.query({ ...byArtist, ...reverse, ProjectionExpression: "SongTitle", ...TOTAL })),
    { Items: titles.toReversed(), Count: 2, ScannedCount: 2, ConsumedCapacity: units(1) },
  );
  assert.deepEqual(
    plain(
      await dynamodb.query({
        TableName,
        KeyConditionExpression: "#n1 = :v1",
        FilterExpression: "NOT (#n2 IN (:v2, :v3))",
        ExpressionAttributeNames: { "#n1": "Artist", "#n2": "AlbumTitle" },
        ExpressionAttributeValues: { ":v1": { S: ME }, ":v2": { S: "Blue Sky Blues" }, ":v3": { S: "Greatest Hits" } },
        ...TOTAL,
      }),
    ),
    { Items: [call("Somewhat Famous")], Count: 1, ScannedCount: 2, ConsumedCapacity: units(0.5) },
  );
  assert.deepEqual(plain(await dynamodb.query({ ...byArtist, Select: "COUNT" })), { Count: 2, ScannedCount: 2 });
  assert.deepEqual(
    plain(
      await dynamodb.query({
        ...byArtist,
        IndexName: "AlbumTitleIndex",
        Select: "ALL_PROJECTED_ATTRIBUTES",
        ReturnConsumedCapacity: "INDEXES",
      }),
    ),
    {
      Items: [scared, call("Somewhat Famous")],
      Count: 2,
      ScannedCount: 2,
      ConsumedCapacity: {
        ...units(0.5),
        Table: { CapacityUnits: 0 },
        LocalSecondaryIndexes: { AlbumTitleIndex: { CapacityUnits: 0.5 } },
      },
    },
  );

  // scan
  const { Items, ...counts } = plain(
    await dynamodb.scan({
      TableName,
      FilterExpression: "Artist = :a",
      ProjectionExpression: "#ST, #AT",
      ExpressionAttributeNames: { "#ST": "SongTitle", "#AT": "AlbumTitle" },
      ExpressionAttributeValues: { ":a": { S: ME } },
    }),
  );
  assert.deepEqual(counts, { Count: 2, ScannedCount: 3 });
  const shown = ({ SongTitle, AlbumTitle }: Item) => ({ SongTitle, AlbumTitle });
  assert.deepEqual(sorted(Items), sorted([call("Somewhat Famous"), scared].map(shown)));

  // transact-get-items
  const Get = (artist: string, title: string) => ({ Get: { TableName, Key: key(artist, title) } });
  assert.deepEqual(
    plain(
      await dynamodb.transactGetItems({ TransactItems: [Get(THEM, "Happy Day"), Get(ME, "Call Me Today")], ...TOTAL }),
    ),
    {
      ConsumedCapacity: [{ ...units(4), ReadCapacityUnits: 4 }],
      Responses: [{ Item: happy("Songs About Life") }, { Item: call("Somewhat Famous") }],
    },
  );

  // update-item: the index entry moves, which costs two.
  const update = {
    TableName,
    Key,
    UpdateExpression: "SET #Y = :y, #AT = :t",
    ExpressionAttributeNames: { "#Y": "Year", "#AT": "AlbumTitle" },
    ExpressionAttributeValues: { ":y": { N: "2015" }, ":t": { S: "Louder Than Ever" } },
  };
  assert.deepEqual(plain(await dynamodb.updateItem({ ...update, ReturnValues: "ALL_NEW", ...TOTAL, ...SIZE })), {
    Attributes: { ...happy("Louder Than Ever"), Year: { N: "2015" } },
    ConsumedCapacity: units(3),
    ItemCollectionMetrics: collection(THEM),
  });
  await assert.rejects(dynamodb.updateItem({ ...update, ConditionExpression: "attribute_not_exists(#Y)" }), failed);

  // batch-get-item
  const read = await dynamodb.batchGetItem({
    RequestItems: {
      [TableName]: {
        Keys: [key(ME, "Call Me Today"), Key, key(ME, "Scared of My Shadow")],
        ProjectionExpression: "AlbumTitle",
      },
    },
    ...TOTAL,
  });
  assert.deepEqual(
    sorted(read.Responses![TableName]),
    sorted(["Somewhat Famous", "Blue Sky Blues", "Louder Than Ever"].map((S) => ({ AlbumTitle: { S } }))),
  );
  assert.deepEqual([read.UnprocessedKeys, read.ConsumedCapacity], [{}, [units(1.5)]]);

  // delete-item
  assert.deepEqual(
    plain(
      await dynamodb.deleteItem({
        TableName,
        Key: key(ME, "Scared of My Shadow"),
        ReturnValues: "ALL_OLD",
        ...TOTAL,
        ...SIZE,
      }),
    ),
    { Attributes: scared, ConsumedCapacity: units(2), ItemCollectionMetrics: collection(ME) },
  );

  // transact-write-items
  const ConditionExpression = "attribute_not_exists(Rating)";
  const written = await dynamodb.transactWriteItems({
    TransactItems: [
      {
        Update: {
          TableName,
          Key,
          UpdateExpression: "SET AlbumTitle = :newval",
          ExpressionAttributeValues: { ":newval": { S: "Updated Album Title" } },
          ConditionExpression,
        },
      },
      { Delete: { TableName, Key: key(ME, "Call Me Today"), ConditionExpression } },
    ],
    ...TOTAL,
    ...SIZE,
  });
  assert.deepEqual(written.ConsumedCapacity, [{ ...units(10), WriteCapacityUnits: 10 }]);
  assert.deepEqual(sorted(written.ItemCollectionMetrics![TableName]), sorted([collection(ME), collection(THEM)]));
});

test("the conditional delete, and the projection, of the product catalog", async () => {
  await dynamodb.createTable({
    TableName: "ProductCatalog",
    AttributeDefinitions: [{ AttributeName: "Id", AttributeType: "N" }],
    KeySchema: [{ AttributeName: "Id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  const goods: Item = { Id: { N: "456" }, Price: { N: "550" }, ProductCategory: { S: "Sporting Goods" } };
  const book: Item = { Title: { S: "Book 102 Title" }, Price: { N: "20" }, ProductCategory: { S: "Book" } };
  for (const Item of [goods, { ...book, Id: { N: "102" }, InPublication: { BOOL: true } }])
    await dynamodb.putItem({ TableName: "ProductCatalog", Item });
  assert.deepEqual(
    plain(
      await dynamodb.getItem({
        TableName: "ProductCatalog",
        Key: { Id: { N: "102" } },
        ProjectionExpression: "#T, #C, #P",
        ExpressionAttributeNames: { "#T": "Title", "#C": "ProductCategory", "#P": "Price" },
      }),
    ),
    { Item: book },
  );
  assert.deepEqual(
    plain(
      await dynamodb.deleteItem({
        TableName: "ProductCatalog",
        Key: { Id: { N: "456" } },
        ConditionExpression: "(ProductCategory IN (:cat1, :cat2)) and (#P between :lo and :hi)",
        ExpressionAttributeNames: { "#P": "Price" },
        ExpressionAttributeValues: {
          ":cat1": { S: "Sporting Goods" },
          ":cat2": { S: "Gardening Supplies" },
          ":lo": { N: "500" },
          ":hi": { N: "600" },
        },
        ReturnValues: "ALL_OLD",
      }),
    ),
    { Attributes: goods },
  );
});

test("the statements of the PartiQL pages", async () => {
  for (const [name, attributes] of [
    ["Music", { Artist: "S", SongTitle: "S" }],
    ["Orders", { OrderID: "N" }],
    ["WatchList", { CustomerID: "S", MovieID: "S" }],
    ["TypesTable", { primarykey: "S" }],
  ] as const) {
    const [hash, range] = Object.keys(attributes);
    await dynamodb.createTable({
      TableName: name,
      AttributeDefinitions: Object.entries(attributes).map(([AttributeName, AttributeType]) => ({
        AttributeName,
        AttributeType,
      })),
      KeySchema: [
        { AttributeName: hash!, KeyType: "HASH" },
        ...(range === undefined ? [] : [{ AttributeName: range, KeyType: "RANGE" as const }]),
      ],
      BillingMode: "PAY_PER_REQUEST",
    });
  }
  const rocks = key(THEM, "PartiQL Rocks");
  const won: Item = {
    AwardsWon: { N: "1" },
    AwardDetail: { M: { Grammys: { L: [{ N: "2020" }, { N: "2018" }] } } },
  };
  const where = "WHERE Artist='Acme Band' AND SongTitle='PartiQL Rocks'";
  const order = (id: string): Item => ({ OrderID: { N: id }, Total: { N: `${Number(id) * 100}` } });
  const types = async () =>
    (await dynamodb.getItem({ TableName: "TypesTable", Key: { primarykey: { S: "1" } } })).Item!;
  const steps: readonly (readonly [string, readonly Item[]])[] = [
    ["INSERT INTO \"Music\" value {'Artist' : 'Acme Band','SongTitle' : 'PartiQL Rocks'}", []],
    [`UPDATE "Music" SET AwardsWon=1 SET AwardDetail={'Grammys':[2020, 2018]} ${where}`, []],
    [`SELECT * FROM "Music" ${where}`, [{ ...rocks, ...won }]],
    [
      `UPDATE "Music" SET AwardsWon=1 SET AwardDetail={'Grammys':[2020, 2018]} ${where} RETURNING ALL OLD *`,
      [{ ...rocks, ...won }],
    ],
    [
      `UPDATE "Music" SET AwardsWon=1 SET AwardDetail={'Grammys':[2020, 2018]} ${where} RETURNING ALL NEW *`,
      [{ ...rocks, ...won }],
    ],
    [`UPDATE "Music" SET AwardDetail.Grammys =list_append(AwardDetail.Grammys,[2016]) ${where}`, []],
    [`UPDATE "Music" REMOVE AwardDetail.Grammys[2] ${where}`, []],
    [`UPDATE "Music" SET AwardDetail.BillBoard=[2020] ${where}`, []],
    [`UPDATE "Music" SET BandMembers =<<'member1', 'member2'>> ${where}`, []],
    [`UPDATE "Music" SET BandMembers =set_add(BandMembers, <<'newmember'>>) ${where}`, []],
    [
      `UPDATE "Music" SET BandMembers =set_delete(BandMembers, <<'member1'>>) ${where} RETURNING MODIFIED NEW *`,
      [{ BandMembers: { SS: ["member2", "newmember"] } }],
    ],
    ['SELECT AwardsWon FROM Music WHERE "Awards" is MISSING', [{ AwardsWon: { N: "1" } }]],
    ["SELECT SongTitle FROM Music WHERE attribute_type(\"AwardsWon\", 'N')", [{ SongTitle: { S: "PartiQL Rocks" } }]],
    [`DELETE FROM "Music" WHERE "Artist" = 'Acme Band' AND "SongTitle" = 'PartiQL Rocks'`, []],
    ...["1", "2", "3"].map(
      (id) =>
        [
          `INSERT INTO "Orders" VALUE {'OrderID': ${id}, 'Total': ${id}00, 'Address': 'some address', 'Image': 'x'}`,
          [],
        ] as const,
    ),
    ['SELECT OrderID, Total FROM "Orders" WHERE OrderID = 1', [order("1")]],
    ['SELECT OrderID, Total FROM "Orders" WHERE OrderID = 1 or OrderID = 2 ORDER BY OrderID', [order("1"), order("2")]],
    [
      'SELECT OrderID, Total FROM "Orders" WHERE OrderID IN [1, 2, 3] ORDER BY OrderID DESC',
      [order("3"), order("2"), order("1")],
    ],
    ['SELECT OrderID, Total FROM "Orders" WHERE Total > 250', [order("3")]],
    ["SELECT OrderID FROM \"Orders\" WHERE OrderID = 1 and Address='some address'", [{ OrderID: { N: "1" } }]],
    ['SELECT OrderID FROM "Orders" WHERE OrderID=1 AND contains("Address", \'some\')', [{ OrderID: { N: "1" } }]],
    ['SELECT OrderID FROM "Orders" WHERE OrderID=1 AND begins_with("Address", \'7834 24th\')', []],
    ['SELECT * FROM "Orders" WHERE "OrderID"=1 AND size("Image") >300', []],
    [
      "INSERT INTO WatchList VALUE {'CustomerID': 'C1', 'MovieID': 'M1', 'Devices': {'FireStick': {'DateWatched': ['12/12/19', '12/26/19']}}}",
      [],
    ],
    [
      "SELECT Devices.FireStick.DateWatched[0] FROM WatchList WHERE CustomerID= 'C1' AND MovieID= 'M1'",
      [{ "DateWatched[0]": { S: "12/12/19" } }],
    ],
    ["SELECT MovieID FROM WatchList WHERE CustomerID= 'C1' AND Devices.FireStick.DateWatched[0] >= '12/24/19'", []],
    [
      "INSERT INTO TypesTable value {'primarykey':'1', 'NumberType':1, 'MapType' : {'entryname1': 'value', 'entryname2': 4}, 'ListType': [1,'stringval'], 'NumberSetType':<<1,34,32,4.5>>, 'StringSetType':<<'stringval','stringval2'>> }",
      [],
    ],
    [
      "UPDATE TypesTable SET NumberType=NumberType + 100 SET MapType.NewMapEntry=[2020, 'stringvalue', 2.4] SET ListType = LIST_APPEND(ListType, [4, <<'string1', 'string2'>>]) SET NumberSetType= SET_ADD(NumberSetType, <<345, 48.4>>) SET StringSetType = SET_ADD(StringSetType, <<'stringsetvalue1', 'stringsetvalue2'>>) WHERE primarykey='1'",
      [],
    ],
    [
      "UPDATE TypesTable SET NumberType=NumberType - 1 REMOVE ListType[1] REMOVE MapType.NewMapEntry SET NumberSetType = SET_DELETE( NumberSetType, <<345>>) SET StringSetType = SET_DELETE( StringSetType, <<'stringsetvalue1'>>) WHERE primarykey='1'",
      [],
    ],
  ];
  for (const [Statement, Items] of steps)
    assert.deepEqual((await dynamodb.executeStatement({ Statement })).Items, Items, Statement);
  assert.deepEqual(await types(), {
    primarykey: { S: "1" },
    NumberType: { N: "100" },
    MapType: { M: { entryname1: { S: "value" }, entryname2: { N: "4" } } },
    ListType: { L: [{ N: "1" }, { N: "4" }, { SS: ["string1", "string2"] }] },
    NumberSetType: { NS: ["1", "34", "32", "4.5", "48.4"] },
    StringSetType: { SS: ["stringval", "stringval2", "stringsetvalue2"] },
  });
});
